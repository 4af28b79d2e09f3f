// Command portalserver runs the calls of a portal for load programs: all that
// httpapi adds to the Bayeux server, for people whom a cookie names. The limits
// that one address meets are lifted, because all load comes from one; everything
// else is as by default.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"time"

	wc "github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/httpapi"
	"github.com/webconferencing/webconferencing/httpapi/bayeux"
	"github.com/webconferencing/webconferencing/store/memstore"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// people is a directory of everybody, and of no groups.
type people struct{}

func (people) User(_ context.Context, id wc.UserID) (*wc.User, error) {
	return &wc.User{ID: id, FirstName: "Test", LastName: string(id)}, nil
}

func (people) Group(context.Context, wc.Ref) (*wc.Group, error) { return nil, wc.ErrNotFound }

func (people) IsMember(context.Context, wc.UserID, wc.Ref) (bool, error) { return false, nil }

// signedIn believes what a cookie says.
func signedIn(r *http.Request) (wc.Actor, error) {
	cookie, err := r.Cookie("user")
	if err != nil {
		return wc.Actor{}, httpapi.ErrUnauthenticated
	}
	return wc.Actor{User: wc.UserID(cookie.Value)}, nil
}

func run() error {
	addr := flag.String("addr", "127.0.0.1:8081", "address to listen on")
	flag.Parse()
	svc, err := wc.New(memstore.New(), people{}, nil)
	if err != nil {
		return err
	}
	api, err := httpapi.New(svc, httpapi.AuthenticatorFunc(signedIn), &httpapi.Options{Bayeux: &bayeux.Options{
		MaxSessions:             100_000,
		MaxHandshakesPerAddress: bayeux.Unlimited,
		MaxUnknownPerAddress:    bayeux.Unlimited,
		MaxSocketsPerAddress:    bayeux.Unlimited,
	}})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	mux := http.NewServeMux()
	mux.Handle("/cometd", api.Bayeux())
	web := &http.Server{Addr: *addr, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	end := context.Background()
	failed := make(chan error, 3)
	go func() { failed <- svc.Run(end) }()
	go func() { failed <- api.Run(end) }()
	go func() { failed <- web.ListenAndServe() }()
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(end, 5*time.Second)
	defer cancel()
	return errors.Join(err, api.Shutdown(end), web.Shutdown(end), svc.Shutdown(end))
}
