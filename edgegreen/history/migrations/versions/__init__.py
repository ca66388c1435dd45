"""The steps, a file each. A step that was released is never changed again."""
