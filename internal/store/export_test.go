package store

import "time"

// Within is the store with less patience.
func (s Store) Within(d time.Duration) Store {
	s.patience = d
	return s
}
