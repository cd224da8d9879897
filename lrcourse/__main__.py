"""`python -m lrcourse`: the same as the command `lrcourse`."""

import sys

from lrcourse.cli import main

sys.exit(main())
