"""`python -m lrcourse`: the same as the command `lrcourse`."""

import sys

from lrcourse.commands.main import main

sys.exit(main())
