// Package bayeux is a server for the Bayeux protocol, version 1.0, as CometD's
// and Faye's clients speak it, over long-polling and WebSocket. It depends on
// nothing but the standard library, and knows nothing of what its messages
// mean.
//
// # A chat in ten minutes
//
// A [Server] is an http.Handler. Mount it where the clients expect it, with
// everything below; the path has no meaning. This is a whole chat, main.go of an
// empty folder:
//
//	package main
//
//	import (
//		"context"
//		"log"
//		"net/http"
//		"strings"
//
//		"github.com/webconferencing/webconferencing/httpapi/bayeux"
//	)
//
//	const page = `<!DOCTYPE html>
//	<title>Chat</title>
//	<form><input name="text" autofocus> <button>Send</button></form>
//	<script type="module">
//		import {CometD} from "/cometd.js/cometd.js"
//		const cometd = new CometD()
//		cometd.configure({url: location.origin + "/cometd"})
//		cometd.addListener("/meta/handshake", reply => {
//			if (reply.successful) cometd.subscribe("/chat/lobby", message => {
//				document.body.append(message.data.text, document.createElement("br"))
//			})
//		})
//		cometd.handshake()
//		document.forms[0].onsubmit = event => {
//			event.preventDefault()
//			cometd.publish("/chat/lobby", {text: event.target.text.value})
//			event.target.reset()
//		}
//	</script>`
//
//	func main() {
//		server, err := bayeux.New(&bayeux.Options{
//			Authenticate: func(_ context.Context, r *http.Request, _ *bayeux.Message) (bayeux.Identity, error) {
//				// In a portal: the user of the request's login session, or an error.
//				return bayeux.Identity{User: "guest"}, nil
//			},
//			MaxSessionsPerUser: bayeux.Unlimited, // as all are the same guest
//			Authorize: func(_ context.Context, _ *bayeux.Session, _ bayeux.Operation, channel string, _ *bayeux.Message) error {
//				if strings.HasPrefix(channel, "/chat/") {
//					return nil
//				}
//				return &bayeux.Refusal{Reason: "no_such_room"}
//			},
//		})
//		if err != nil {
//			log.Fatal(err)
//		}
//		mux := http.NewServeMux()
//		mux.Handle("/cometd", server)
//		mux.Handle("/cometd/", server)
//		mux.Handle("/cometd.js/", http.StripPrefix("/cometd.js/", http.FileServer(http.Dir("node_modules/cometd"))))
//		mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
//			w.Header().Set("Content-Type", "text/html; charset=utf-8")
//			_, _ = w.Write([]byte(page))
//		})
//		log.Fatal(http.ListenAndServe("127.0.0.1:8081", mux))
//	}
//
// To run it, with the client from npm, and then open two windows of
// http://127.0.0.1:8081/:
//
//	go mod init example.com/chat
//	go get github.com/webconferencing/webconferencing
//	npm install cometd
//	go run .
//
// From the server, [Server.Publish] reaches everybody who is subscribed,
// [Server.Deliver] all sessions of one user, and [Session.Deliver] one client.
// [Server.HandleService] answers cometd.remoteCall. Code that wants to take part
// as a client does, in a server or in a test, uses [Server.NewLocalSession].
// When the program ends, call [Server.Shutdown] before that of the http.Server.
//
// # Who may do what
//
// The zero [Options] let everybody in and do everything, as CometD's defaults
// do. Options.Authenticate decides about handshakes, Options.Reauthenticate
// looks again at each request and regularly at open WebSockets and held connects
// (where both may run after the handler of the request has returned).
// Options.Authorize decides about each channel, or rules for patterns of
// channels grant and deny, see [ChannelRule]; Options.RecheckSubscriptions and
// [Session.Reauthorize] ask again what a client may keep. A session belongs to the
// browser that made it, by a cookie, and to the user that Reauthenticate
// compares. Pages of other origins are refused unless Options.AllowedOrigins
// names them, on WebSockets too. The channels /meta/** and /service/** are
// reserved.
//
// # What is promised
//
// Messages to one session keep their order and are not lost while the session
// lives, as far as the server can know: what could not be written, because a
// poll or a socket had died, is sent again. Only a client with the
// acknowledgement extension is certain to get everything, and may get some
// twice. A session lives as long as its client connects; when it ends, its
// queue is gone. Options.History keeps messages beyond that for the replay
// extension.
//
// Nothing is unbounded: each limit is a field of Options. A client that does
// not take its messages is ended, with [ReasonSlow], before it can harm others;
// publishing never waits for a client. Hooks that do not return in time are
// given up, so that they harm neither the other requests of a session nor other
// sessions; [Options] tells what that means for each.
//
// # When something goes wrong
//
// A client is told what it did wrong, and nothing of what went wrong inside: a
// panic or an error of a hook, a handler or a history is answered in general
// words. The line of Options.Logger that tells the cause has a reference of
// twelve letters and digits, which the client is told too, as ext.ref of the
// reply or data.ref of a failed remote call, so that what a user reports can be
// found.
//
// # Differences from CometD
//
// Data passes through as it was sent, digit for digit. A message that is wrong
// is refused by itself, not together with its batch. A subscription to several
// channels is made for all of them or none. Fields that steer a client, such as
// advice, are not passed on from publisher to subscribers. A publish without
// data, to a pattern, or on a service channel without handler is refused. Names
// have at most 255 bytes and 8 segments. Requests must be application/json in
// UTF-8, without compression. There is no callback-polling.
//
// # Concurrency
//
// All types are safe for concurrent use. The messages of one session, other
// than connects, are processed one after the other, hooks included; different
// sessions run in parallel. What a [LocalSession] sends waits for nothing else
// of it. Hooks are called without locks.
package bayeux
