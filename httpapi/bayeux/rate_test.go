package bayeux

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// The limiter is tested inside the package, because filling it through the
// front door would take a million requests.

func TestLimiterIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1, time.Second, 5)
		for i := range 3 * maxBuckets {
			if !l.allow(fmt.Sprint(i)) {
				t.Fatalf("key %d is refused", i)
			}
		}
		if n := len(l.buckets); n > maxBuckets {
			t.Errorf("%d buckets", n)
		}
	})
}

func TestLimiterRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(2, time.Second, 5)
		allowed := 0
		for range 100 {
			if l.allow("a") {
				allowed++
			}
			time.Sleep(100 * time.Millisecond)
		}
		// A burst of 5, and 2 a second for 10 seconds.
		if allowed < 23 || allowed > 25 {
			t.Errorf("%d allowed", allowed)
		}
		if unlimited := newLimiter(Unlimited, time.Second, 1); !unlimited.allow("a") {
			t.Error("no limit refuses")
		}
	})
}

func TestProxiesAreNotLimited(t *testing.T) {
	l := newLimiter(1, time.Second, 1)
	for _, address := range []string{"127.0.0.1:5", "[::1]:5", "[::ffff:127.0.0.1]:5", "@", ""} {
		for range 10 {
			if !l.allow(remoteAddr(&http.Request{RemoteAddr: address})) {
				t.Fatalf("%s is limited", address)
			}
		}
	}
	far := &http.Request{RemoteAddr: "192.0.2.7:5", Header: http.Header{"X-Forwarded-For": {"127.0.0.1"}}}
	if !l.allow(remoteAddr(far)) || l.allow(remoteAddr(far)) {
		t.Error("a client is not limited")
	}
}
