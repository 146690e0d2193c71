"""From a bundle to its calibration tables: simulated surveys and maps, questions about them, a model of the answers.

What `locate` and `fix` accept when they fly is fitted here (`homing-sim calibrate`), on worlds that nothing else uses.
"""
