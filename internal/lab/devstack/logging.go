package main

import (
	"os"

	"go.temporal.io/server/common/log"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

func logLevels() map[string]zapcore.Level {
	return map[string]zapcore.Level{
		"debug": zapcore.DebugLevel,
		"info":  zapcore.InfoLevel,
		"warn":  zapcore.WarnLevel,
		"error": zapcore.ErrorLevel,
	}
}

// defaultLogLevel shows what is wrong and nothing else.
const defaultLogLevel = "error"

// newLogger writes the server's log to stderr, one line an entry, so that stdout stays for what
// scripts read. The second result is for the moment before a stop, when the server reports every
// call that it breaks off itself as an error: at the default level it silences them.
func newLogger(name string) (logger log.Logger, stopping func()) {
	level := zap.NewAtomicLevelAt(logLevels()[name])
	encoding := zap.NewDevelopmentEncoderConfig()
	core := zapcore.NewCore(zapcore.NewConsoleEncoder(encoding), zapcore.Lock(os.Stderr), level)
	return log.NewZapLogger(zap.New(core)), func() {
		if name == defaultLogLevel {
			level.SetLevel(zapcore.FatalLevel)
		}
	}
}
