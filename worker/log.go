package main

import (
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/sluicehq/sluice/internal/terminal"
)

// logger writes to a writer, for people or as JSON. Whatever is logged, no terminal acts on it.
func logger(o options, to io.Writer) (*zap.Logger, error) {
	level, err := zapcore.ParseLevel(o.logLevel)
	if err != nil {
		return nil, fmt.Errorf("--log-level %q is unknown, expected debug, info, warn or error", o.logLevel)
	}
	sink := zapcore.Lock(zapcore.AddSync(terminal.Writer(to)))
	switch o.logFormat {
	case "json":
		core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), sink, level)
		// The same line a thousand times in a second says no more than a hundred times.
		core = zapcore.NewSamplerWithOptions(core, time.Second, 100, 100)
		return zap.New(core, zap.AddCaller(), zap.AddStacktrace(zap.ErrorLevel)), nil
	case "console":
		core := zapcore.NewCore(zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig()), sink, level)
		return zap.New(core, zap.AddCaller(), zap.Development()), nil
	default:
		return nil, fmt.Errorf("--log-format %q is unknown, expected console or json", o.logFormat)
	}
}
