"""What a record of power or of call times says, and how surely. Pure: numbers in, numbers and words out."""
