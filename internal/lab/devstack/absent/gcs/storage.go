// Package storage stands in for cloud.google.com/go/storage, see ../README.md: there is no client,
// so its methods are never called.
package storage

import (
	"context"
	"errors"

	"google.golang.org/api/option"
)

// ErrAbsent is the answer to everything.
var ErrAbsent = errors.New("this development server is built without archives in Google Cloud Storage")

// ScopeFullControl is the scope that the server asks for.
const ScopeFullControl = "https://www.googleapis.com/auth/devstorage.full_control"

// The types that the server's archiver names.
type (
	Client         struct{}
	BucketHandle   struct{}
	ObjectHandle   struct{}
	Writer         struct{}
	Reader         struct{}
	ObjectIterator struct{}
	BucketAttrs    struct{}
	ObjectAttrs    struct{ Name string }
	Query          struct{ Prefix string }
)

// NewClient answers ErrAbsent.
func NewClient(context.Context, ...option.ClientOption) (*Client, error) { return nil, ErrAbsent }

// Bucket is needed to compile only, as is all that follows.
func (*Client) Bucket(string) *BucketHandle { return nil }

func (*BucketHandle) Object(string) *ObjectHandle                     { return nil }
func (*BucketHandle) Objects(context.Context, *Query) *ObjectIterator { return nil }
func (*BucketHandle) Attrs(context.Context) (*BucketAttrs, error)     { return nil, ErrAbsent }
func (*ObjectHandle) NewWriter(context.Context) *Writer               { return nil }
func (*ObjectHandle) NewReader(context.Context) (*Reader, error)      { return nil, ErrAbsent }
func (*ObjectHandle) Attrs(context.Context) (*ObjectAttrs, error)     { return nil, ErrAbsent }
func (*ObjectIterator) Next() (*ObjectAttrs, error)                   { return nil, ErrAbsent }
func (*Writer) Write([]byte) (int, error)                             { return 0, ErrAbsent }
func (*Writer) Close() error                                          { return ErrAbsent }
func (*Writer) CloseWithError(error) error                            { return ErrAbsent }
func (*Reader) Read([]byte) (int, error)                              { return 0, ErrAbsent }
func (*Reader) Close() error                                          { return ErrAbsent }
