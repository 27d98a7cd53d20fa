package main

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	serverclock "github.com/sluicehq/sluice/internal/clock"
	"github.com/sluicehq/sluice/internal/connect"
)

// callTimeout bounds one call to Temporal, so that no command hangs on a server or a worker that
// does not answer.
const callTimeout = 5 * time.Second

// remote is Temporal as the commands see it.
type remote struct {
	client    client.Client
	namespace string
	address   string
	// deployment is whose rollouts the commands are about.
	deployment connect.Deployment
	// clock is Temporal's: the times of rollouts are by it. Those who answer say how late it is.
	clock serverclock.Clock
	// short says that people read the answers: the digests of bundles are cut.
	short bool
	// ui is the base URL of the Web UI; empty when nobody said where it is.
	ui string
}

func remoteFlags() []cli.Flag {
	const category = "Temporal"
	return []cli.Flag{
		&cli.StringFlag{
			Name: "address", Category: category, Usage: "server, `HOST:PORT` (default: TEMPORAL_ADDRESS, profile, " + connect.DefaultAddress + ")",
		},
		&cli.StringFlag{Name: "namespace", Category: category, Usage: "`NAMESPACE` (default: TEMPORAL_NAMESPACE, the profile, or default)"},
		&cli.StringFlag{Name: "profile", Category: category, Usage: "`PROFILE` of Temporal's configuration file (default: TEMPORAL_PROFILE)"},
		&cli.BoolFlag{Name: "tls", Category: category, DisableDefaultText: true, Usage: "use TLS, whatever environment and profile say"},
		&cli.StringFlag{
			Name: "deployment", Category: category, EnvVars: []string{"SLUICE_DEPLOYMENT"},
			Usage: "`NAME` of the Sluice among several in the namespace, as its workers have it",
		},
		&cli.StringFlag{Name: "ui", Category: category, Usage: "base `URL` of Temporal's Web UI, for links (default: SLUICE_UI)"},
	}
}

// dial connects with the flags of a remote command. From then on the console goes by Temporal's
// clock. The caller closes it.
func dial(ctx context.Context, con *console, c *cli.Context) (*remote, error) {
	ui := cmp.Or(c.String("ui"), os.Getenv("SLUICE_UI"))
	if err := checkUI(ui); err != nil {
		return nil, err
	}
	deployment := connect.Deployment(c.String("deployment"))
	if err := deployment.Check(); err != nil {
		return nil, usagef("--deployment: %w", err)
	}
	o := connect.Options{
		Address: c.String("address"), Namespace: c.String("namespace"),
		Profile: c.String("profile"), TLS: c.Bool("tls"),
	}
	address, namespace, err := o.Resolved()
	if err != nil {
		return nil, &exitError{code: exitInvalid, err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, 2*callTimeout)
	defer cancel()
	cl, err := connect.Dial(ctx, o)
	if is[*connect.AddressError](err) {
		return nil, &exitError{code: exitInvalid, err: err}
	}
	if err != nil {
		return nil, err
	}
	r := &remote{client: cl, namespace: namespace, address: address, deployment: deployment, ui: strings.TrimRight(ui, "/"), short: !con.json}
	con.now = r.now
	return r, nil
}

// now is Temporal's time, in the time zone here; this computer's until a rollout has answered.
func (r *remote) now() time.Time { return r.clock.Now().Local() }

func checkUI(ui string) error {
	if ui == "" {
		return nil
	}
	u, err := url.Parse(ui)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return invalidf("--ui or SLUICE_UI is %q, expected a URL such as http://127.0.0.1:8233", ui)
	}
	return nil
}

// link is the rollout's page in the Web UI; empty when its address is unknown.
func (r *remote) link(workflowID, runID string) string {
	if r.ui == "" {
		return ""
	}
	return r.ui + "/namespaces/" + url.PathEscape(r.namespace) + "/workflows/" + url.PathEscape(workflowID) + "/" + url.PathEscape(runID)
}

// transient says whether an error of a call is worth another try: the server did not answer, or not
// in time.
func transient(err error) bool {
	return is[*serviceerror.Unavailable](err) || is[*serviceerror.DeadlineExceeded](err) ||
		is[*serviceerror.ResourceExhausted](err) || is[*serviceerror.Canceled](err) || errors.Is(err, context.DeadlineExceeded)
}

// is says whether an error is, or wraps, one of a type.
func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// explainCall adds what to do to an error of a call.
func (r *remote) explainCall(err error) error {
	if is[*serviceerror.NamespaceNotFound](err) {
		return invalidf("Temporal has no namespace %q: name one with --namespace or TEMPORAL_NAMESPACE", r.namespace)
	}
	e, ok := errors.AsType[*serviceerror.InvalidArgument](err)
	switch {
	case !ok:
		return err
	case strings.Contains(strings.ToLower(e.Message), "search attribute"):
		return invalidf("namespace %s lacks Sluice's search attributes (%s); create them once with:\n  %s",
			r.namespace, e.Message, connect.CreateAttributes(r.namespace))
	}
	return &exitError{code: exitInvalid, err: err}
}
