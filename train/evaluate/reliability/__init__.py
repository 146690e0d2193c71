"""From how an answer stands out to the probability that it is right, and when to say "no match"."""
