// Command bayeuxserver runs this repository's Bayeux server for load programs:
// the limits that one address or one client meets are lifted, because all load
// comes from one; everything else is as by default.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"runtime/pprof"
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
	profile := flag.String("cpuprofile", "", "file to write a CPU profile to")
	flag.Parse()
	if *profile != "" {
		file, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	server, err := bayeux.New(&bayeux.Options{
		MaxSessions:             100_000,
		MaxMessageRate:          bayeux.Unlimited,
		MaxHandshakesPerAddress: bayeux.Unlimited,
		MaxUnknownPerAddress:    bayeux.Unlimited,
		MaxQueue:                100_000,
		MaxQueueBytes:           64 << 20,
	})
	if err != nil {
		return err
	}
	err = server.HandleService("/service/echo", func(_ context.Context, _ *bayeux.Session, r *bayeux.Request) {
		// The only error is that the client was answered already.
		_ = r.Reply(r.Data)
	})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	web := &http.Server{Addr: *addr, Handler: server, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- web.ListenAndServe() }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(server.Shutdown(ctx), web.Shutdown(ctx))
}
