package secret_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/secret"
)

const planted = "hunter2-planted"

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	write := func(name, data string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(data), 0o600))
		return "file:" + path
	}
	t.Setenv("SLUICE_TEST_TOKEN", planted)
	t.Setenv("SLUICE_TEST_EMPTY", "")

	for _, ref := range []string{"${env:SLUICE_TEST_TOKEN}", write("token", "\n "+planted+"\n")} {
		s, err := secret.Resolve(ref)
		require.NoError(t, err)
		require.Equal(t, planted, s.Reveal())
	}
	for ref, want := range map[string]string{
		"${env:SLUICE_TEST_EMPTY}":                   "SLUICE_TEST_EMPTY is not set or empty",
		"${env:SLUICE_TEST_NONE}":                    "SLUICE_TEST_NONE is not set or empty",
		"file:" + filepath.Join(dir, "none"):         "no such file",
		"file:" + dir:                                "not a regular file",
		"file:/dev/zero":                             "not a regular file",
		write("empty", " \n"):                        "is empty",
		write("big", string(make([]byte, 64<<10+1))): "larger than",
		planted:                     "not a reference",
		"$" + planted:               "not a reference",
		"${env:" + planted + "}":    "not a reference", // '-' is in no variable's name
		"file:" + planted:           "not a reference",
		"file:relative/" + planted:  "not a reference",
		" ${env:SLUICE_TEST_TOKEN}": "not a reference",
		"${env:SLUICE_TEST_TOKEN}${env:SLUICE_TEST_TOKEN}": "not a reference",
		"": "not a reference",
	} {
		s, err := secret.Resolve(ref)
		require.ErrorContains(t, err, want, ref)
		require.NotContains(t, err.Error(), planted)
		require.Empty(t, s.Reveal())
	}
}

func TestSecretNeverShows(t *testing.T) {
	s := secret.New(planted)
	type holder struct{ Token secret.Secret }
	var shown bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
		fmt.Fprintf(&shown, verb, s)
		fmt.Fprintf(&shown, verb, &s)
		fmt.Fprintf(&shown, verb, holder{s})
	}
	data, err := json.Marshal(map[string]any{"a": s, "b": &s, "c": holder{s}})
	require.NoError(t, err)
	shown.Write(data)
	slog.New(slog.NewJSONHandler(&shown, nil)).Info("x", "s", s, "h", holder{s})
	slog.New(slog.NewTextHandler(&shown, nil)).Info("x", "s", s, "h", holder{s})
	require.NotContains(t, shown.String(), planted)
	require.NotContains(t, shown.String(), fmt.Sprintf("%x", planted))
	require.Contains(t, shown.String(), "[redacted]")
}

func TestRedact(t *testing.T) {
	require.Equal(t, "you sent Bearer [redacted]!", secret.New(planted).Redact("you sent Bearer "+planted+"!"))
	require.Equal(t, "text", secret.Secret{}.Redact("text"))
}

// A server may repeat a secret in another form than it was sent in.
func TestRedactForms(t *testing.T) {
	const odd = `p"l&a<n+t/e d=\é`
	s := secret.New(odd)
	plain, err := json.Marshal(odd)
	require.NoError(t, err)
	for _, form := range []string{
		odd, string(plain), strings.ReplaceAll(strings.ReplaceAll(odd, `\`, `\\`), `"`, `\"`), url.QueryEscape(odd), url.PathEscape(odd), fmt.Sprintf("%q", odd),
		fmt.Sprintf("%x", odd), fmt.Sprintf("%X", odd), base64.StdEncoding.EncodeToString([]byte(odd)), base64.RawURLEncoding.EncodeToString([]byte(odd)),
	} {
		require.True(t, s.Shows("<"+form+">"), form)
		got := strings.Trim(s.Redact("<"+form+">"), `<>"=`)
		require.Equal(t, "[redacted]", got, form)
	}
	require.False(t, s.Shows("nothing of it"))
	require.False(t, secret.Secret{}.Shows(""))
}
