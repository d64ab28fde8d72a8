"""What the processes of one run owe each other: how they are started, told, found again and ended."""
