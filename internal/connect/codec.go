package connect

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/grpc"
)

// useCodec sends all payloads and the words of errors through the codec of a profile (a server that
// encrypts and decrypts them, TEMPORAL_CODEC_ENDPOINT), so that Temporal keeps nothing in the clear
// but ids, search attributes and task queues. It is done around the calls to the server: in a
// workflow nothing may wait for another server. Ready says whether the codec answers.
func useCodec(opts *client.Options, c *envconfig.ClientConfigCodec) (ready func() error, err error) {
	if c == nil || c.Endpoint == "" {
		return func() error { return nil }, nil
	}
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the endpoint of the codec (TEMPORAL_CODEC_ENDPOINT or codec.endpoint of the profile) is no URL, " +
			"expected one such as https://codec:8080")
	}
	namespace := opts.Namespace
	codec := converter.NewRemotePayloadCodec(converter.RemotePayloadCodecOptions{
		Endpoint: c.Endpoint, Client: http.Client{Timeout: 10 * time.Second},
		ModifyRequest: func(r *http.Request) error {
			r.Header.Set("X-Namespace", namespace)
			if c.Auth != "" {
				r.Header.Set("Authorization", c.Auth)
			}
			return nil
		},
	})
	around, err := converter.NewPayloadCodecGRPCClientInterceptor(converter.PayloadCodecGRPCClientInterceptorOptions{
		Codecs: []converter.PayloadCodec{codec},
	})
	if err != nil {
		return nil, fmt.Errorf("set up the codec: %w", err)
	}
	opts.ConnectionOptions.DialOptions = append(opts.ConnectionOptions.DialOptions, grpc.WithChainUnaryInterceptor(around))
	opts.FailureConverter = temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{EncodeCommonAttributes: true})
	ready = func() error {
		if _, err := codec.Encode([]*commonpb.Payload{{}}); err != nil {
			return fmt.Errorf("the codec at %s (TEMPORAL_CODEC_ENDPOINT) does not encode, and nothing is sent without it: %w", u.Redacted(), err)
		}
		return nil
	}
	return ready, nil
}
