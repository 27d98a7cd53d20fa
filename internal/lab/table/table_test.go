package table

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTable(t *testing.T) {
	tb := Table{Title: "Speed", Head: []string{"what", "s"}}
	tb.Add("forward", "1.0")
	tb.Note("Of %d runs.", 3)
	var text, page strings.Builder
	tb.Text(&text)
	tb.markdown(&page)
	require.Equal(t, "\nSpeed\n\n  what     s\n  forward  1.0\n\n  Of 3 runs.\n", text.String())
	require.Equal(t, "\n### Speed\n\n| what | s |\n| --- | --- |\n| forward | 1.0 |\n\nOf 3 runs.\n", page.String())
}

// Only the table's own part of a page is replaced.
func TestTableInto(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.md")
	require.NoError(t, os.WriteFile(file, []byte("a\n<!-- bench:x -->old<!-- bench:end -->\nb\n<!-- bench:y -->kept<!-- bench:end -->\n"), 0o600))
	tb := Table{Title: "T", Head: []string{"h"}}
	for range 2 {
		require.NoError(t, tb.Into(file, "bench", "x"))
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, "a\n<!-- bench:x -->\n\n### T\n\n| h |\n| --- |\n\n<!-- bench:end -->\nb\n<!-- bench:y -->kept<!-- bench:end -->\n", string(data))
	}
	require.ErrorContains(t, tb.Into(file, "bench", "z"), "bench:z")
}
