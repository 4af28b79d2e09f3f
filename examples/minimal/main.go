// Command minimal is the smallest host of the library: people and sign-in are
// in portal.go, this file mounts the calls beside them.
package main

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/connector/webrtc"
	"github.com/webconferencing/webconferencing/httpapi"
	"github.com/webconferencing/webconferencing/store/boltstore"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	listener, err := net.Listen("tcp", "127.0.0.1:8080")
	if err == nil {
		err = serve(ctx, listener, "calls.db")
	}
	if err != nil {
		log.Fatal(err)
	}
}

// serve runs the portal until ctx ends.
func serve(ctx context.Context, listener net.Listener, file string) error {
	store, err := boltstore.Open(file, nil)
	if err != nil {
		return err
	}
	defer store.Close()
	provider, err := webrtc.New(nil)
	if err != nil {
		return err
	}
	svc, err := webconferencing.New(store, users, &webconferencing.Options{Providers: []webconferencing.Provider{provider}})
	if err != nil {
		return err
	}
	api, err := httpapi.New(svc, httpapi.AuthenticatorFunc(signedIn), nil)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", home)
	mux.Handle("/portal/rest/webconferencing/", http.StripPrefix("/portal/rest/webconferencing", api.REST()))
	mux.Handle("/portal/rest/state/status/", http.StripPrefix("/portal/rest/state/status", api.UserStatus()))
	mux.Handle("/cometd/", api.Bayeux())
	mux.Handle("/webconferencing/", http.StripPrefix("/webconferencing", api.Client()))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}

	end := context.Background()
	failed := make(chan error, 3)
	go func() { failed <- svc.Run(end) }() // rings end, events arrive
	go func() { failed <- api.Run(end) }() // joined devices stay in their calls
	go func() { failed <- server.Serve(listener) }()
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	return errors.Join(err, api.Shutdown(end), server.Shutdown(end), svc.Shutdown(end))
}
