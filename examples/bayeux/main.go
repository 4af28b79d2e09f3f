// Command bayeux runs an open Bayeux server.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	addr := flag.String("addr", "127.0.0.1:8081", "address to listen on")
	sessions := flag.Int("max-sessions", 20_000, "most sessions at once")
	queue := flag.Int("max-queue", 1000, "most messages waiting for one session")
	flag.Parse()

	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	server, err := bayeux.New(&bayeux.Options{MaxSessions: *sessions, MaxQueue: *queue, Logger: log})
	if err != nil {
		return err
	}
	err = server.HandleService("/service/echo", func(_ context.Context, _ *bayeux.Session, r *bayeux.Request) {
		if err := r.Reply(r.Data); err != nil {
			log.Debug("echo", "error", err)
		}
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/cometd", server)
	mux.Handle("/cometd/", server)

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	web := &http.Server{Addr: *addr, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- web.ListenAndServe() }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(server.Shutdown(ctx), web.Shutdown(ctx))
}
