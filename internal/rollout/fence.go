package rollout

import "time"

// Fence is the number that goes with every apply, for example 3546000000000 for a start at 17:00.
// It grows with every rollout of a unit: only one runs at a time, and the server's clock dates
// them. It is even, and the next number is the fence of the way back. A target that has seen a
// higher fence refuses an order.
func Fence(start time.Time) int64 { return start.UnixMilli() * 2 }
