package webconferencing_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	wc "github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/faultstore"
	"github.com/webconferencing/webconferencing/store/memstore"
)

// Whichever write goes wrong while a ring ends or a device expires: it happens
// in the end, once, and everybody is told the same (C5, C19).
func TestDeadlinesSurviveFaults(t *testing.T) {
	faults := map[string]faultstore.Fault{
		"commit fails":           {Method: faultstore.Commit, Err: errBoom},
		"commit fails often":     {Method: faultstore.Commit, Err: errBoom, Times: 5},
		"commit lost":            {Method: faultstore.Commit, Err: wc.ErrOutcomeUnknown},
		"commit lost, but done":  {Method: faultstore.Commit, Err: wc.ErrOutcomeUnknown, Through: true},
		"commit panics":          {Method: faultstore.Commit, Panic: "store"},
		"commit panics, done":    {Method: faultstore.Commit, Panic: "store", Through: true},
		"commit is slow":         {Method: faultstore.Commit, Delay: 5 * time.Second},
		"read fails":             {Method: faultstore.Call, Err: errBoom},
		"the list of dues fails": {Method: faultstore.Due, Err: errBoom, Times: 3},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			for nth := 1; nth <= 8; nth++ {
				synctest.Test(t, func(t *testing.T) { ringOut(t, fault, nth) })
			}
		})
	}
}

// ringOut lets a ring end, and a device vanish, under a fault.
func ringOut(t *testing.T, fault faultstore.Fault, nth int) {
	store := faultstore.New(memstore.New())
	s := startNode(t, store, newPeople(), wc.Options{})
	defer s.stop()
	synctest.Wait()
	must[*wc.Call](t)(s.CreateCall(t.Context(), mary, pair("mary", "john", true)))
	seat := must[*wc.Admission](t)(s.JoinCall(t.Context(), mary, "p/john@mary")).Seat
	must[*wc.Call](t)(s.Ringing(t.Context(), john, "p/john@mary"))
	must[*wc.Call](t)(s.CreateCall(t.Context(), james, space("g/s", "sales_team", true)))
	must[*wc.Admission](t)(s.JoinCall(t.Context(), james, "g/s")) // and is not heard of again
	m, j := listen(t, s.Service, "mary"), listen(t, s.Service, "john")
	k := listen(t, s.Service, "jack")
	time.Sleep(15 * time.Second)
	fault.Nth = nth
	store.Inject(fault)
	for range 7 { // the renewals as they would come, whatever becomes of them
		_ = s.RenewSeat(t.Context(), mary, seat)
		time.Sleep(4 * time.Second)
	}
	time.Sleep(time.Minute)
	if nth < 3 && !slices.ContainsFunc(store.Records(), func(r faultstore.Record) bool { return r.Fault != nil }) {
		t.Errorf("the fault at access %d never struck", nth)
	}
	what := fmt.Sprintf("at access %d", nth)
	for who, told := range map[string][]string{"mary": m.take(), "john": j.take()} {
		ends := slices.DeleteFunc(slices.Clone(told), func(e string) bool { return e != "stopped(missed)" && e != "stopped(expired)" })
		if len(ends) != 1 {
			t.Errorf("%s %s was told %q", what, who, told)
		}
	}
	if got := k.take(); !slices.Equal(got, []string{"call_leaved james", "stopped(expired)"}) {
		t.Errorf("%s jack was told %q", what, got)
	}
	if got := outcomes(t, s, "p/john@mary"); len(got) != 1 {
		t.Errorf("%s the legs came to %q", what, got)
	}
	if live := must[[]*wc.Call](t)(s.LiveCalls(t.Context(), admin)); len(live) > 0 {
		t.Errorf("%s there are live calls: %+v", what, live)
	}
}
