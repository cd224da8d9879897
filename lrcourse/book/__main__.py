"""`python -m lrcourse.book`: mdBook's preprocessor, where its command is not on the PATH."""

import sys

from lrcourse.book.preprocessor import main

if __name__ == "__main__":
    sys.exit(main())
