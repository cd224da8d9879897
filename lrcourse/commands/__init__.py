"""The command line: `lrcourse run`, `doctor`, `lab`, `book`, `trace`, `find-lr`."""
