package secret_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/secret"
)

const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.c2lnbmF0dXJlLWh1bnRlcjI"

func TestInlineInURL(t *testing.T) {
	for text, want := range map[string]string{
		"http://h/x?token=hunter2":                          "token",
		"http://h/x?a=b&access_token=hunter2":               "token",
		"http://h/x?API_KEY=hunter2":                        "api key",
		"http://h/x?apikey=hunter2":                         "api key",
		"http://h/x?X-Api-Key=hunter2":                      "api key",
		"http://h/x?password=hunter2":                       "password",
		"http://h/x?client_secret=hunter2":                  "secret",
		"http://h/x?%74oken=hunter2":                        "token",
		"http://h/x?a=b;token=hunter2":                      "token",
		"http://h/x?key=hunter2AbCdEf0123456789":            "key",
		"http://h/x?sig=hunter2AbCdEf0123456789":            "sig",
		"http://h/x?token={{id}}hunter2":                    "token",
		"http://h/x?q=" + jwt:                               "JSON Web Token",
		"http://h/ghp_hunter2hunter2hunter2hunter2hunter2x": "GitHub token",
		"https://hooks.slack.com/services/T0/B0/hunter2":    "Slack webhook",
		"https://discord.com/api/webhooks/1/hunter2":        "Discord webhook",
		"http://h/x":                                                    "",
		"http://h/x?token=":                                             "",
		"http://h/x?token={{label.shard}}":                              "",
		"http://h/x?token=${env:TOKEN}":                                 "",
		"http://h/x?unit={{unit}}&key=region":                           "",
		"http://h/x?author=ann&tokens=5&monkey=1&keyword=password":      "",
		"http://h/token/password/x":                                     "",
		"http://h/x?token_file=/run/secrets/t&password-policy=strict":   "",
		"http://{{address}}/sluice/v1/units/{{unit}}?max_tokens=100":    "",
		"http://h/x?q=0123456789abcdef0123456789abcdef":                 "",
		"https://hooks.slack.com/services/":                             "",
		"http://h/x?release=sha256:0123456789abcdef0123456789abcdef012": "",
	} {
		require.Equal(t, want, secret.InURL(text), text)
	}
}

func TestInlineInArgv(t *testing.T) {
	type found struct {
		at   int
		what string
	}
	for text, want := range map[string]found{
		"./x|--token=hunter2":                                  {1, "token"},
		"./x|--token|hunter2":                                  {2, "token"},
		"./x|-token|hunter2":                                   {2, "token"},
		"./x|--auth-token=hunter2":                             {1, "token"},
		"./x|--apiKey=hunter2":                                 {1, "api key"},
		"./x|--docker-password|hunter2":                        {2, "password"},
		"./x|--client_secret=hunter2":                          {1, "secret"},
		"./x|--secret=hunter2AbCdEf0123456789":                 {1, "secret"},
		"curl|-u|admin:hunter2":                                {2, "password"},
		"curl|-uadmin:hunter2":                                 {1, "password"},
		"./switch.sh|--user=admin:hunter2":                     {1, "password"},
		"./switch.sh|--proxy-user|admin:hunter2":               {2, "password"},
		"curl|-H|Authorization: Bearer hunter2":                {2, "authorization"},
		"curl|-HAuthorization: Basic aHVudGVyMg==":             {1, "authorization"},
		"curl|--header=X-Vault-Token: hunter2":                 {1, "token"},
		"curl|-H|PRIVATE-TOKEN: hunter2":                       {2, "token"},
		"curl|-H|Cookie: session=hunter2":                      {2, "cookie"},
		"curl|https://me:hunter2@h/":                           {1, "password"},
		"psql|postgres://me:hunter2@h/db":                      {1, "password"},
		"curl|https://h/?token=hunter2":                        {1, "token"},
		"env|PGPASSWORD=hunter2|psql":                          {1, "password"},
		"helm|--set|db.password=hunter2":                       {2, "password"},
		"curl|-d|{\"user\": \"a\", \"password\": \"hunter2\"}": {2, "password"},
		"sh|-c|curl -H 'Authorization: Bearer hunter2' h":      {2, "authorization"},
		"sh|-c|deploy --token hunter2 {{id}}":                  {2, "token"},
		"sh|-c|curl -u me:hunter2 h":                           {2, "password"},
		"sh|-c|TOKEN=hunter2 ./x":                              {2, "token"},
		"sshpass|-p|hunter2|ssh|{{address}}":                   {2, "password"},
		"./x|" + jwt:                                           {1, "JSON Web Token"},
		"./x|-----BEGIN RSA PRIVATE KEY-----":                  {1, "private key"},
		"./x|AKIAHUNTER2HUNTER2AB":                             {1, "AWS access key"},
		"./x|--token|{{label.t}}hunter2":                       {2, "token"},

		"./x|--token-file=/run/secrets/token":                   {},
		"./x|--token-file|/run/secrets/token":                   {},
		"./x|--token=/run/secrets/token":                        {},
		"./x|--token|/run/secrets/token":                        {},
		"./x|--token=@/run/secrets/token":                       {},
		"./x|--token=file:/run/secrets/token":                   {},
		"./x|--token=${env:TOKEN}":                              {},
		"./x|--token=$TOKEN":                                    {},
		"./x|--token|${TOKEN}":                                  {},
		"./x|--token=env:TOKEN":                                 {},
		"./x|--token={{label.token}}":                           {},
		"./x|--token|--verbose":                                 {},
		"./x|--token":                                           {},
		"./x|--token=":                                          {},
		"./x|--password-stdin":                                  {},
		"./x|--password=-":                                      {},
		"./x|--max-token=500":                                   {},
		"./x|--verify-token=false":                              {},
		"./x|--password-env=DB_PASSWORD":                        {},
		"./x|--secret=registry-credentials":                     {},
		"./x|--secret-name=a|--token-url=http://h/token":        {},
		"kubectl|get|secret|deploy-token":                       {},
		"kubectl|create|token|ann":                              {},
		"docker|run|-u|www-data:adm|img":                        {},
		"docker|run|--user=1000:1000|img":                       {},
		"./x|-u|1000:1000":                                      {},
		"./x|-u|www-data:www-data":                              {},
		"./x|-u|ann":                                            {},
		"./x|-u|http://h:80":                                    {},
		"./x|-u|{{address}}":                                    {},
		"./x|-u|10.0.0.1:8080":                                  {},
		"ssh|deploy@{{address}}|switch|{{release}}":             {},
		"git|clone|ssh://git@h/x":                               {},
		"git|clone|https://{{label.user}}:{{label.p}}@h":        {},
		"curl|-H|Authorization: Bearer ${TOKEN}":                {},
		"sh|-c|curl -H \"Authorization: Bearer $TOKEN\" h":      {},
		"sh|-c|curl -H \"Authorization: Bearer $(cat /t)\"":     {},
		"sh|-c|TOKEN=$(cat /run/t) ./x --token \"$TOKEN\"":      {},
		"sh|-c|curl -u \"me:$PASSWORD\" h":                      {},
		"curl|-H|Accept: application/json|http://{{address}}":   {},
		"./x|passwordless|tokenizer=bpe|the password: see wiki": {},
		"./x|sha256:0123456789abcdef0123456789abcdef01234567":   {},
		"./switch.sh|{{id}}|{{release}}|{{fence}}":              {},
	} {
		at, what := secret.InArgv(strings.Split(text, "|"))
		if want.what == "" {
			require.Empty(t, what, text)
			continue
		}
		require.Equal(t, want, found{at, what}, text)
	}
}
