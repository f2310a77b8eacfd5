// Package bench measures Gesta against what Postgres, pgx and Echo can do without it, on the same machine
// and in the same run: absolute figures vary with the machine, their ratios hold.
package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// report is the table of what was measured.
type report struct {
	rows []row
	progress,
	out io.Writer
}

// row is one measure. Ours and reference are shown as they are; what counts is the ratio.
type row struct {
	part, what, ours, reference string
	ratio                       float64 // 0 for what is shown without a reference
	target                      target
}

// target is what a ratio has to keep to.
type target struct {
	limit  float64 // 0 for none
	atMost bool
	unit   string // of a ratio that is a quantity of its own, such as MB
}

func atLeast(ratio float64) target { return target{limit: ratio} }
func atMost(ratio float64) target  { return target{limit: ratio, atMost: true} }
func atMostOf(quantity float64, unit string) target {
	return target{limit: quantity, atMost: true, unit: unit}
}

// shown is a measure without a target.
var shown target

func (t target) String() string {
	switch {
	case t.limit == 0:
		return ""
	case t.atMost:
		return "≤ " + number(t.limit) + t.unitOr(" ×")
	}
	return "≥ " + number(t.limit) + t.unitOr(" ×")
}

func (t target) unitOr(otherwise string) string {
	if t.unit != "" {
		return " " + t.unit
	}
	return otherwise
}

func (t target) verdict(ratio float64) string {
	switch {
	case t.limit == 0:
		return ""
	case t.atMost && ratio <= t.limit, !t.atMost && ratio >= t.limit:
		return "met"
	}
	return "**missed**"
}

func (r *report) add(one row) {
	r.rows = append(r.rows, one)
	fmt.Fprintf(r.progress, "%-9s %s: %s\n", one.part, one.what, strings.Join(one.cells()[2:], "  "))
}

func (r row) cells() []string {
	ratio := ""
	if r.ratio != 0 {
		ratio = number(r.ratio) + r.target.unitOr(" ×")
	}
	return []string{r.part, r.what, r.ours, r.reference, ratio, r.target.String(), r.target.verdict(r.ratio)}
}

// print writes the table as Markdown, with what is needed to read it.
func (r *report) print(machine string, took time.Duration) {
	heads := []string{"", "", "ours", "reference", "ratio", "target", ""}
	fmt.Fprintf(r.out, "\n%s\n%s\n", line(heads), line(strings.Split(strings.Repeat("---,", len(heads)-1)+"---", ",")))
	missed, part := 0, ""
	for _, one := range r.rows {
		cells := one.cells()
		if one.part == part {
			cells[0] = ""
		}
		part = one.part
		if cells[6] == "**missed**" {
			missed++
		}
		fmt.Fprintln(r.out, line(cells))
	}
	fmt.Fprintf(r.out, "\n%s; %s, %s; %d targets missed\n", time.Now().UTC().Format(time.DateOnly), machine, took.Round(time.Second), missed)
}

func line(cells []string) string { return "| " + strings.Join(cells, " | ") + " |" }

// machineOf says what this was measured on.
func machineOf(ctx context.Context, url string) (string, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return "", err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var version, fsync, buffers string
	if err := conn.QueryRow(ctx, `select current_setting('server_version'), current_setting('fsync'),
		pg_size_pretty(pg_size_bytes(current_setting('shared_buffers')))`).Scan(&version, &fsync, &buffers); err != nil {
		return "", err
	}
	version, _, _ = strings.Cut(version, " ")
	return fmt.Sprintf("%s/%s, %d cores for everything, load included; %s, Postgres %s with fsync %s and %s of buffers",
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), version, fsync, buffers), nil
}

// serverSettings are those of a server that the database has to itself: a quarter of the memory for its buffers, as
// its manual says, and room for as many writers as are compared.
func serverSettings() []string {
	all := []string{"max_connections=400"}
	if memory := memoryInKB(); memory > 0 {
		all = append(all, fmt.Sprintf("shared_buffers=%dkB", memory/4))
	}
	return all
}

// memoryInKB is the machine's, or the container's if that has less; 0 where it can't be found out.
func memoryInKB() (kB int) {
	text, _ := os.ReadFile("/proc/meminfo")
	_, _ = fmt.Sscanf(string(text), "MemTotal: %d kB", &kB)
	limit := 0
	text, _ = os.ReadFile("/sys/fs/cgroup/memory.max")
	if n, err := fmt.Sscan(string(text), &limit); n == 1 && err == nil {
		kB = min(kB, limit>>10)
	}
	return kB
}

// number has three digits, or all those before the point.
func number(f float64) string {
	switch {
	case f >= 100:
		return fmt.Sprintf("%.0f", f)
	case f >= 10:
		return fmt.Sprintf("%.1f", f)
	}
	return fmt.Sprintf("%.2f", f)
}

// perSecond shows a rate.
func perSecond(rate float64, what string) string {
	if rate >= 10_000 {
		return fmt.Sprintf("%.1fk %s/s", rate/1000, what)
	}
	return fmt.Sprintf("%.0f %s/s", rate, what)
}

// millis shows a time.
func millis(d time.Duration) string { return number(float64(d.Microseconds())/1000) + " ms" }

// clients shows how many there are.
func clients(count int, what string) string {
	if count != 1 {
		what += "s"
	}
	return strconv.Itoa(count) + " " + what
}
