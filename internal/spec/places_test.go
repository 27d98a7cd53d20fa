package spec

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOneSpelling(t *testing.T) {
	for _, same := range [][]string{
		{"http://web-1/x", "http://WEB-1:80/x", "http://web-1.:080/x"},
		{"https://web-1/x", "https://web-1:443/x"},
		{"http://[::1]:80/", "http://[0:0::1]/", "http://[0:0:0:0:0:0:0:1]:80/"},
		{"http://127.0.0.1:8080/", "http://[::ffff:127.0.0.1]:8080/"},
		{"ssh\x00web-1", "ssh\x00web-1"},
	} {
		for _, other := range same {
			require.Equal(t, oneSpelling(same[0]), oneSpelling(other))
		}
	}
	require.NotEqual(t, oneSpelling("http://web-1/x"), oneSpelling("http://web-1/X"))
	require.NotEqual(t, oneSpelling("http://web-1:81/x"), oneSpelling("http://web-1/x"))
}
