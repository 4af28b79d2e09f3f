package webconferencing_test

import (
	"context"
	"iter"
	"testing"

	wc "github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/memstore"
)

// panicky is a store whose iterators panic after what they had to yield.
type panicky struct{ wc.Store }

func (p panicky) Calls(ctx context.Context, q wc.CallQuery) iter.Seq2[*wc.Call, error] {
	return func(yield func(*wc.Call, error) bool) {
		for c, err := range p.Store.Calls(ctx, q) {
			if !yield(c, err) {
				panic("after the loop was left")
			}
		}
		panic("at the end")
	}
}

// TestIteratorsThatPanic: a panic of a store's iterator is an error of the
// command that reads it, whether or not it has what it wanted.
func TestIteratorsThatPanic(t *testing.T) {
	s, err := wc.New(panicky{memstore.New()}, newPeople(), &wc.Options{Providers: []wc.Provider{provider()}})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	must[*wc.Call](t)(s.CreateCall(ctx, mary, pair("mary", "john", true)))
	_, err = s.OpenCalls(ctx, mary)
	wantCode(t, err, wc.CodeInternal)
	c := must[*wc.Call](t)(s.CreateCall(ctx, mary, pair("john", "james", true)))
	must[*wc.Admission](t)(s.JoinCall(ctx, john, c.ID))
	// Whether john is busy is known before the iterator is through.
	must[*wc.Call](t)(s.CreateCall(ctx, dev("jack", "j"), pair("jack", "john", true)))
}
