"""How long a round of deliveries may begin to send messages, in seconds.

The message that is being sent then is sent to its end, which its sender bounds.
"""

# A round of the sensor's.
LONGEST_ROUND = 1800.0
# What a run sends of what it wrote itself.
LONGEST_OF_RUN = 600.0
