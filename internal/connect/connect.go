// Package connect is how Sluice's programs reach Temporal, and the names that they agree on there.
// Of the product's packages below internal it is the only one that knows Temporal; programs that
// measure and test whole deployments do, too.
package connect

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/log"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"github.com/sluicehq/sluice/internal/clock"
)

// DefaultAddress is the server that is used when nothing names another.
const DefaultAddress = "127.0.0.1:7233"

// Options say which server to use. What is empty comes from the environment (TEMPORAL_ADDRESS,
// TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS…, TEMPORAL_CODEC_ENDPOINT) and from a profile
// of Temporal's configuration file, as for the temporal CLI.
type Options struct {
	// Address is host:port. Default DefaultAddress.
	Address string
	// Namespace defaults to "default".
	Namespace string
	// Profile is a section of the configuration file; one that is named must exist. Default
	// TEMPORAL_PROFILE, or "default".
	Profile string
	// TLS asks for TLS where the environment and the profile do not.
	TLS bool
	// Logger gets the SDK's messages; nil drops them.
	Logger *zap.Logger
	// Metrics gets the SDK's metrics; nil drops them.
	Metrics prometheus.Registerer
	// Clock is told what the server's clock says; nil where nobody asks it.
	Clock *clock.Clock
}

// Dial connects to Temporal and checks that a server answers; its error is an
// *UnreachableError when none does, and an *AddressError when none can. The caller closes the client.
func Dial(ctx context.Context, o Options) (client.Client, error) {
	opts, ready, err := o.client()
	if err != nil {
		return nil, err
	}
	if err := checkAddress(opts.HostPort); err != nil {
		return nil, err
	}
	if err := ready(); err != nil {
		return nil, err
	}
	c, err := client.DialContext(ctx, opts)
	switch {
	case err == nil:
		return c, nil
	case ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled):
		return nil, fmt.Errorf("connect to Temporal: %w", context.Cause(ctx))
	}
	return nil, &UnreachableError{Address: opts.HostPort, Err: err, Hint: hint(ctx, opts.HostPort, err)}
}

// Resolved are the server and the namespace that Dial would use.
func (o Options) Resolved() (address, namespace string, err error) {
	o.Metrics = nil
	opts, _, err := o.client()
	return opts.HostPort, opts.Namespace, err
}

// client merges the options with the environment and the profile. Ready says whether a codec that
// they name answers.
func (o Options) client() (opts client.Options, ready func() error, err error) {
	profile, err := envconfig.LoadClientConfigProfile(envconfig.LoadClientConfigProfileOptions{ConfigFileProfile: o.Profile})
	if err != nil {
		return opts, nil, fmt.Errorf("read Temporal's client configuration: %w", err)
	}
	if opts, err = profile.ToClientOptions(envconfig.ToClientOptionsRequest{}); err != nil {
		return opts, nil, fmt.Errorf("read Temporal's client configuration: %w", err)
	}
	opts.HostPort = cmp.Or(o.Address, opts.HostPort, DefaultAddress)
	opts.Namespace = cmp.Or(o.Namespace, opts.Namespace, client.DefaultNamespace)
	if o.TLS && opts.ConnectionOptions.TLS == nil {
		opts.ConnectionOptions.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		opts.ConnectionOptions.TLSDisabled = false
	}
	if ready, err = useCodec(&opts, profile.Codec); err != nil {
		return opts, nil, err
	}
	opts.Identity = Identity()
	opts.Logger = logger(o.Logger)
	opts.ConnectionOptions.DialOptions = append(opts.ConnectionOptions.DialOptions,
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: reconnect, MinConnectTimeout: 5 * time.Second}),
		grpc.WithChainUnaryInterceptor(waitToPoll))
	if o.Clock != nil {
		opts.ConnectionOptions.DialOptions = append(opts.ConnectionOptions.DialOptions, grpc.WithChainUnaryInterceptor(dated(o.Clock)))
	}
	if o.Metrics != nil {
		if opts.MetricsHandler, err = NewMetricsHandler(o.Metrics); err != nil {
			return opts, nil, err
		}
	}
	return opts, ready, nil
}

// Identity names this process to the server: two workers never have the same.
var Identity = sync.OnceValue(func() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%d@%s@%s", os.Getpid(), host, rand.Text()[:6])
})

// reconnect is how a lost connection is tried again: a server that restarts is found within a
// second or so, and an abort should not wait for longer.
var reconnect = backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second}

// waitToPoll has polls wait for the connection. Otherwise each fails at once while a server
// restarts, and the SDK pauses for up to ten seconds between polls that fail.
func waitToPoll(
	ctx context.Context, method string, req, reply any, c *grpc.ClientConn, call grpc.UnaryInvoker, o ...grpc.CallOption,
) error {
	if strings.Contains(method, "/Poll") {
		o = append(o, grpc.WaitForReady(true))
	}
	return call(ctx, method, req, reply, c, o...)
}

func logger(z *zap.Logger) log.Logger {
	if z == nil {
		return log.NewStructuredLogger(slog.New(slog.DiscardHandler))
	}
	return log.NewStructuredLogger(slog.New(calm{zapslog.NewHandler(z.Core())}))
}
