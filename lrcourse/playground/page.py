"""Where the page of the playground lies, and how an output says that it holds one.

`page.js` draws the page, in Jupyter through the widget and in the book without a kernel. It is one
file without imports, so that a page can hold it as one address. For `lrcourse.book` this module
imports nothing else.
"""

from pathlib import Path

MIME = "application/vnd.lrcourse.playground+json"
SCRIPT = Path(__file__).with_name("page.js")
