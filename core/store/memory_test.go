package store_test

import (
	"testing"

	"github.com/grayling-gateway/grayling/core/store"
	"github.com/grayling-gateway/grayling/core/store/storetest"
)

func TestMemory(t *testing.T) {
	memory := store.NewMemory()
	storetest.Contract(t, func() store.Store { return memory })
}
