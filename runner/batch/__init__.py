"""Many tasks from one file: put together, checked, carried out side by side, and gone on with after a crash."""
