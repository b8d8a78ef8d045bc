package metrics

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

// watch emits the results of the sources. It adds the tenants that it shows to shown.
func (o output) watch(w *watch, shown map[string]bool) {
	if len(w.src.DBs) > 0 {
		o.handles(w.src.DBs, shown)
	}
	if w.src.Directory != nil {
		o.directory(w.src.Directory())
	}
	if w.src.Quarantine != nil {
		o.quarantine(w.src.Quarantine())
	}
	if p := w.tenants.Load(); p != nil {
		for _, s := range statuses {
			o.gauge(descTenants, float64(p.statuses[s]), label(string(s)))
		}
		if last := w.backups.Load(); last != nil {
			o.backups(p, *last, shown)
		}
	}
	if sizes := w.storage.Load(); sizes != nil {
		o.storage(*sizes, shown)
	}
	if fleet := w.migrations.Load(); fleet != nil {
		for _, outcome := range outcomes {
			o.gauge(descBehind, float64(fleet.counts[outcome]), label(string(outcome)))
		}
		o.gauge(descEdited, float64(fleet.edited))
	}
	for _, s := range w.surveys {
		st := s.state()
		o.gauge(descSurvey, seconds(st.last), s.name)
		o.gauge(descSurveyTook, st.took.Seconds(), s.name)
		o.counter(descSurveyFail, float64(st.failures), s.name)
	}
}

func (o output) handles(dbs []DB, shown map[string]bool) {
	var s schemactx.Stats
	var p schemactx.PoolStats
	waiting := make(map[string]int)
	for _, db := range dbs {
		st, ps := db.Stats(), db.PoolStats()
		s.Switches += st.Switches
		s.Scrubs += st.Scrubs
		s.Destroyed += st.Destroyed
		s.Hits += st.Hits
		s.Misses += st.Misses
		s.Evicted += st.Evicted
		s.Retries += st.Retries
		p.Pools += ps.Pools
		p.MaxConns += ps.MaxConns
		p.Acquired += ps.Acquired
		p.Idle += ps.Idle
		p.Opening += ps.Opening
		for _, u := range db.Usage() {
			name := u.Schema
			if !shown[name] {
				name = otherName
			}
			waiting[name] += u.Waiting
		}
	}
	o.counter(descChanges, float64(s.Switches))
	o.counter(descScrubs, float64(s.Scrubs))
	o.counter(descDestroyed, float64(s.Destroyed))
	o.counter(descCache, float64(s.Hits), "hit")
	o.counter(descCache, float64(s.Misses), "miss")
	o.counter(descEvicted, float64(s.Evicted))
	o.counter(descRetries, float64(s.Retries))
	o.gauge(descPools, float64(p.Pools))
	o.gauge(descPoolMax, float64(p.MaxConns))
	o.gauge(descPool, float64(p.Acquired), "acquired")
	o.gauge(descPool, float64(p.Idle), "idle")
	o.gauge(descPool, float64(p.Opening), "opening")
	for name := range shown {
		o.gauge(descWaits, float64(waiting[name]), name)
	}
}

func (o output) directory(d DirectoryStatus) {
	connected := 0.0
	if d.Connected {
		connected = 1
	}
	o.gauge(descCurrent, seconds(d.Current))
	o.gauge(descConnected, connected)
	o.gauge(descHosts, float64(d.Hosts))
	o.gauge(descDirTenants, float64(d.Tenants))
	o.gauge(descDisputed, float64(d.Conflicts))
	o.counter(descLoads, float64(d.FullLoads), "full")
	o.counter(descLoads, float64(d.PartialLoads), "partial")
	o.counter(descLoads, float64(d.FailedLoads), "failed")
	o.counter(descReconnects, float64(d.Reconnects))
	o.counter(descNotes, float64(d.Notifications), "tenant")
	o.counter(descNotes, float64(d.Ignored), "ignored")
}

func (o output) quarantine(q QuarantineStatus) {
	for reason, n := range q.Counts {
		o.gauge(descQuarantined, float64(n), label(reason))
	}
	o.gauge(descQuarantine, seconds(q.Surveyed))
}

// storage emits the sizes of the largest schemas with their own series, and the sum of all others.
func (o output) storage(sizes map[string]int64, shown map[string]bool) {
	rest := int64(0)
	names := slices.SortedFunc(maps.Keys(sizes), func(a, b string) int {
		return cmp.Or(cmp.Compare(sizes[b], sizes[a]), cmp.Compare(a, b))
	})
	left := o.top
	for _, name := range names {
		switch {
		case name == publicName:
		case left == 0 || name == otherName || schemactx.ValidateName(name) != nil:
			rest += sizes[name]
			continue
		default:
			left--
		}
		shown[name] = true
		o.gauge(descSize, float64(sizes[name]), name)
	}
	o.gauge(descSize, float64(rest), otherName)
}

// backups emits the oldest backups with their own series, of tenants in use.
func (o output) backups(p *tenantList, last map[string]time.Time, shown map[string]bool) {
	var have []string
	never := 0
	for schema, r := range p.bySchema {
		switch r.status {
		case tenancy.Active, tenancy.Suspended, tenancy.Maintenance:
			if at := last[schema]; at.IsZero() {
				never++
			} else {
				have = append(have, schema)
			}
		}
	}
	slices.SortFunc(have, func(a, b string) int { return cmp.Or(last[a].Compare(last[b]), cmp.Compare(a, b)) })
	oldest := time.Time{}
	if len(have) > 0 {
		oldest = last[have[0]]
	}
	o.gauge(descBackups, float64(len(have)), "backed_up")
	o.gauge(descBackups, float64(never), "never")
	o.gauge(descOldest, seconds(oldest))
	for _, name := range have[:min(o.top, len(have))] {
		if name != otherName && schemactx.ValidateName(name) == nil {
			shown[name] = true
			o.gauge(descBackup, seconds(last[name]), name)
		}
	}
}
