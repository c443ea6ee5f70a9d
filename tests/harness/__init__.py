"""What the black-box tests share: programs under test, witnesses in Python, buckets with objects."""
