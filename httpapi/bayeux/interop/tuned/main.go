// Command tuned is the other end for what tests can't see at examples/bayeux:
// pages of some other origins may use it, which get the cookie as pages of other
// sites need it; and it stands behind proxies.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	addr, options, err := parse(args)
	if err != nil {
		return err
	}
	server, err := bayeux.New(options)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	options.Logger.Info("listening", "url", "http://"+listener.Addr().String()+"/")
	web := &http.Server{Handler: server, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- web.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	const grace = 10 * time.Second
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	return errors.Join(server.Shutdown(end), web.Shutdown(end))
}

func parse(args []string) (addr string, options *bayeux.Options, err error) {
	options = &bayeux.Options{Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	flags := flag.NewFlagSet("tuned", flag.ContinueOnError)
	flags.StringVar(&addr, "addr", "127.0.0.1:0", "address to listen on")
	flags.DurationVar(&options.Timeout, "timeout", 30*time.Second, "how long a connect is held")
	flags.DurationVar(&options.MaxInterval, "max-interval", 10*time.Second, "how long a session lives without a connect")
	flags.BoolVar(&options.Cookie.Partitioned, "partitioned", false, "send a cookie that pages of other sites get too")
	flags.Func("origins", "origins whose pages may connect, with commas between them", func(text string) error {
		options.AllowedOrigins = strings.Split(text, ",")
		return nil
	})
	flags.IntVar(&options.MaxSessionsPerAddress, "sessions-per-address", bayeux.Unlimited, "most sessions of one client's address")
	flags.Func("proxy", "network from which a proxy connects that ends TLS", func(text string) error {
		network, err := netip.ParsePrefix(text)
		options.ClientAddr, options.Cookie.Secure = bayeux.ForwardedFor(network), true
		return err
	})
	return addr, options, flags.Parse(args)
}
