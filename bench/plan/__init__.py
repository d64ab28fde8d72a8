"""What a run was asked to do: its options, its plan, its requests, its variants, its expectations. Pure nouns."""
