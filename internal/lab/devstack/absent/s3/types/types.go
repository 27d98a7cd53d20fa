// Package types stands in for github.com/aws/aws-sdk-go-v2/service/s3/types, see ../../README.md.
package types

// The errors and values that the server's archiver names.
type (
	NoSuchBucket struct{ error }
	NoSuchKey    struct{ error }
	CommonPrefix struct{ Prefix *string }
	Object       struct{ Key *string }
)
