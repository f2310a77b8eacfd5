package main

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/jackc/pgx/v5"

	"gesta/cmd/gesta/bench"
	"gesta/cmd/gesta/loadgen"
	"gesta/eventstore/postgres/cluster"
	"gesta/eventstore/relay/natsembed"
)

func TestZZ(t *testing.T) {
	dir := t.TempDir()
	pg, err := cluster.Start(t.Context(), cluster.Options{Dir: filepath.Join(dir, "pg"), Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	defer pg.Stop(context.Background())
	ns, err := natsembed.Start(natsembed.Options{Dir: filepath.Join(dir, "nats"), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Stop()
	i := bench.Installation{App: pg.URL("postgres"), NATS: ns.URL(), Secret: "0123456789abcdef0123456789abcdef", MasterKey: "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}
	s, err := settingsOf(i)
	if err != nil {
		t.Fatal(err)
	}
	s.BcryptCost = 4
	sys, err := s.system(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	if err := sys.ready(t.Context(), log); err != nil {
		t.Fatal(err)
	}
	a, err := s.openFor(t.Context(), sys, log, allRoles)
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(i.NATS, natsOptions(log)...)
	if os.Getenv("ZZ_INPROC") != "" {
		nc, err = ns.Connect(natsOptions(log)...)
	}
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan bool)
	n, err := newNode(a, nc, plan{roles: allRoles, started: func(context.Context, *node) error { close(started); return nil }})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n.listeners = []net.Listener{l}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go n.run(ctx)
	<-started
	if os.Getenv("ZZ_BARE") != "" {
		r, w, _ := os.Pipe()
		conn, _ := pgx.Connect(t.Context(), pg.URL("postgres"))
		conn.Exec(t.Context(), bench.BareTables)
		go bench.ServeBare(ctx, bench.Installation{Owner: pg.URL("postgres"), Secret: i.Secret}, w)
		line, _ := bufio.NewReader(r).ReadString('\n')
		bareAddr = strings.Split(strings.Split(line, "[\"")[1], "\"")[0]
	}
	c := client{t, "http://" + l.Addr().String()}
	paths, tokens := signUp(c, 0, 500)
	tr := loadgen.Traffic{Address: l.Addr().String(), Request: func(k int) []byte {
		if os.Getenv("ZZ") == "get" {
			return loadgen.Message("GET", paths[k%500], tokens[k%500], nil)
		}
		return loadgen.Message("PUT", paths[k%500], tokens[k%500], map[string]string{"phone": fmt.Sprintf("+%012d", time.Now().UnixNano()%1e12)})
	}}
	if bareAddr != "" {
		tr.Address = bareAddr
	}
	tr.Send(64, 0, 2*time.Second)
	before := cpu()
	f, _ := os.Create("/tmp/gesta/zz.pprof")
	pprof.StartCPUProfile(f)
	var m0, m1 runtime.MemStats
	runtime.ReadMemStats(&m0)
	all := tr.Send(64, 0, 5*time.Second)
	runtime.ReadMemStats(&m1)
	pprof.StopCPUProfile()
	f.Close()
	fmt.Println("rate", len(loadgen.Answered(all, 200))/5, "of", len(all), "p50", loadgen.Within(.5, all, loadgen.Took), "allocs/req", (m1.Mallocs-m0.Mallocs)/uint64(len(all)), "B/req", (m1.TotalAlloc-m0.TotalAlloc)/uint64(len(all)), "gcs", m1.NumGC-m0.NumGC)
	pgs, me := 0, 0
	for k, v := range cpu() {
		d := v - before[k]
		if strings.HasPrefix(k, "postgres:") && !strings.Contains(k, "gesta_app") {
			pgs += d
		}
		if strings.Contains(k, "-test.run_TestZZ") {
			me += d
		}
	}
	fmt.Println("CPU us/req: go", me*10000/len(all), "postgres", pgs*10000/len(all))
}

var bareAddr string

func cpu() map[string]int {
	out, _ := exec.Command("sh", "-c", `for p in /proc/[0-9]*; do printf "%s " "$(tr '\0' ' ' < $p/cmdline | cut -c1-60 | tr ' ' '_')"; cut -d' ' -f14,15 $p/stat; done`).Output()
	m := map[string]int{}
	for _, l := range strings.Split(string(out), "\n") {
		f := strings.Fields(l)
		if len(f) == 3 {
			var u, s int
			fmt.Sscan(f[1], &u)
			fmt.Sscan(f[2], &s)
			m[f[0]] += u + s
		}
	}
	return m
}
