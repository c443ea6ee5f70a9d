"""The documentation keeps its word: its programs compile and run, its tables say what the programs say."""
