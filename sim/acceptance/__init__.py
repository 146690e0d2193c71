"""From a bundle to its acceptance tables: simulated surveys and maps, questions about them, a model of the answers.

What `locate` and `fix` accept when they fly is fitted here (`homing-sim acceptance`), on worlds that nothing else uses.
"""
