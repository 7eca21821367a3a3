"""`python -m todo_api` is `todo-api`."""

import sys

from todo_api.cli import main

sys.exit(main())
