package webconferencing_test

import (
	"context"
	"fmt"

	wc "github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/memstore"
)

// staff is a host's directory: it knows two people and no groups.
type staff map[wc.UserID]*wc.User

func (s staff) User(_ context.Context, id wc.UserID) (*wc.User, error) {
	if u, ok := s[id]; ok {
		return u, nil
	}
	return nil, wc.ErrNotFound
}

func (staff) Group(context.Context, wc.Ref) (*wc.Group, error) { return nil, wc.ErrNotFound }

// link is a provider in a screenful: everybody who joins a call gets the
// address of a room.
type link struct{}

func (link) Info() wc.ProviderInfo {
	return wc.ProviderInfo{Type: "link", Title: "Meeting room", Groups: true}
}

func (link) Join(_ context.Context, r wc.JoinRequest) (*wc.Grant, error) {
	return &wc.Grant{URL: "https://meet.example.org/" + string(r.Call.ID)}, nil
}

// One user calls another, who hears of it and joins.
func Example() {
	directory := staff{"mary": {ID: "mary", FirstName: "Mary"}, "john": {ID: "john", FirstName: "John"}}
	svc, err := wc.New(memstore.New(), directory, &wc.Options{Providers: []wc.Provider{link{}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	go func() { _ = svc.Run(ctx) }()
	defer func() { _ = svc.Shutdown(ctx) }()

	mary := wc.Actor{User: "mary", Client: "laptop"}
	john := wc.Actor{User: "john", Client: "phone"}
	rings := make(chan wc.CallID, 1)
	sub, err := svc.Subscribe(ctx, john, wc.UserTopic("john"), nil, func(e *wc.Event) {
		if e.Type == wc.EventState && e.State == wc.StateStarted {
			rings <- e.CallID
		}
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sub.Close()

	_, err = svc.CreateCall(ctx, mary, wc.NewCall{
		ID: "p/john@mary", Owner: wc.Ref{Type: wc.OwnerUser, ID: "mary"}, Provider: "link",
		Participants: []wc.UserID{"mary", "john"}, Start: true,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	admission, err := svc.JoinCall(ctx, john, <-rings)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(admission.Grant.URL)
	// Output: https://meet.example.org/p/john@mary
}

// Errors tell what is wrong and which argument it is about.
func ExampleError() {
	svc, err := wc.New(memstore.New(), staff{}, &wc.Options{Providers: []wc.Provider{link{}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = svc.CreateCall(context.Background(), wc.Actor{User: "mary"}, wc.NewCall{ID: "no//way"})
	fmt.Println(wc.CodeOf(err), "-", err)
	// Output: invalid - create call: id has characters that a call id may not have
}
