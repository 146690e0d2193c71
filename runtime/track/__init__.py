"""A recorded flight through odometry, fixes and the filter, as in flight, with its telemetry's word beside it."""
