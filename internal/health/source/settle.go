package source

// Settle answers a count less what is owed, and at least 0; what is left over is owed.
func Settle(owed *float64, grown float64) float64 {
	grown += *owed
	*owed = min(0, grown)
	return max(0, grown)
}
