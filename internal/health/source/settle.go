package source

// Settle is a count without what was counted too many before.
func Settle(owed *float64, grown float64) float64 {
	grown += *owed
	*owed = min(0, grown)
	return max(0, grown)
}
