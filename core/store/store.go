package store

import (
	"context"
	"errors"
)

// Store keeps documents by name. All methods are safe for concurrent use. Every error but ErrConflict and ErrDocument
// means that the store is away: the same call may succeed later.
type Store interface {
	// Load returns a document: the zero Document if there is none.
	Load(ctx context.Context, name string) (Document, error)

	// Swap replaces the content of a document, if it still has the version given, and returns its new version. With the
	// version "" it makes a document that there is not. If somebody else was faster the error is ErrConflict: load the
	// document, and decide again. With any other error it may have been replaced all the same.
	Swap(ctx context.Context, name, version string, content []byte) (string, error)

	// Watch calls changed with the document as it is now, and whenever it has another version, until the context ends or
	// the store is away. Of changes in quick succession it may see the last one only. A name that begins with a dot, which
	// that of a rollout does not, cannot be watched.
	Watch(ctx context.Context, name string, changed func(Document)) error
}

// Document is some content and which version of it that is.
type Document struct {
	// Version differs from that of any other content that the document ever had. Empty: there is none.
	Version string

	// Content is JSON. It must not be changed.
	Content []byte
}

var (
	// ErrConflict tells that a document has another version by now.
	ErrConflict = errors.New("the document has changed")

	// ErrDocument tells that content is not JSON, or more than MaxContent.
	ErrDocument = errors.New("not a document")
)

// MaxContent is how many bytes a document may have.
const MaxContent = 4 << 20
