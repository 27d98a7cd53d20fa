// Package config stands in for github.com/aws/aws-sdk-go-v2/config, see ../README.md.
package config

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// ErrAbsent is the answer to everything.
var ErrAbsent = errors.New("this development server is built without AWS")

// EnvConfig is what the environment would say.
type EnvConfig struct{ Credentials aws.Credentials }

// NewEnvConfig answers ErrAbsent.
func NewEnvConfig() (EnvConfig, error) { return EnvConfig{}, ErrAbsent }

// LoadOptions has no settings.
type LoadOptions struct{}

// LoadDefaultConfig answers ErrAbsent.
func LoadDefaultConfig(context.Context, ...func(*LoadOptions) error) (aws.Config, error) {
	return aws.Config{}, ErrAbsent
}

// WithRegion sets nothing.
func WithRegion(string) func(*LoadOptions) error { return nil }

// WithClientLogMode sets nothing.
func WithClientLogMode(aws.ClientLogMode) func(*LoadOptions) error { return nil }
