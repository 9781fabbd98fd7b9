"""`ksmctl metrics` as Prometheus takes it: the format by promtool, the whole way through node_exporter's textfile
collector to a query, the alert rules, and the dashboard's queries against the metrics that there are."""
import contextlib, fcntl, http.client, json, os, re, shutil, socket, subprocess, urllib.parse
import pytest
from shared.needs import need_programs
from shared.processes import LIMIT, Stage, capture, wait_for
from shared.tested import TOP

FOLDER = TOP / 'packaging/monitoring'
GUEST = 'a "guest" \\ of \u202e mine'
# Family: its value on the tree below.
EXPECTED = {
    'ksmtuned_up': 1, 'ksmtuned_guests': 2, 'ksmtuned_memory_bytes': 16 << 30, 'ksmtuned_free_bytes': 1 << 30,
    'ksmtuned_committed_bytes': 15 << 30, 'ksmtuned_threshold_bytes': 3 << 30, 'ksmtuned_ksm_run': 1,
    'ksmtuned_pages_to_scan': 300, 'ksmtuned_sleep_seconds': 0.01, 'ksmtuned_saved_bytes': 4096 * 1002,
    'ksmtuned_profit_bytes': -4096, 'ksmtuned_passes_total': 17, 'ksmtuned_scanned_pages_total': 12345,
    'ksmtuned_ksmd_cpu_seconds_total': 2.5, 'ksmtuned_pressure_events_total': 1, 'ksmtuned_foreign_writes_total': 2,
    'ksmtuned_failed_writes_total': 3,
}


@pytest.fixture
def tree(tmp_path):
    """A host with a running daemon, as far as files tell, and two guests, one of an odd name."""
    def put(path, text):
        path = tmp_path / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    put('proc/meminfo', 'MemTotal: 16777216 kB\nMemFree: 1048576 kB\nMemAvailable: 1048576 kB\nBuffers: 0 kB\n'
        'Cached: 0 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n')
    for name, value in dict(run=1, pages_to_scan=300, sleep_millisecs=10, pages_sharing=1000, ksm_zero_pages=2,
                            general_profit=-4096, full_scans=17, pages_scanned=12345).items():
        put(f'sys/kernel/mm/ksm/{name}', f'{value}\n')
    put('proc/7/comm', 'ksmd\n')
    put('proc/7/statm', '0 0 0 0 0 0 0\n')
    put('proc/7/schedstat', '2500000000 0 1\n')
    for pid, name in (10, 'plain'), (11, GUEST):
        put(f'proc/{pid}/comm', 'qemu-system-x86\n')
        put(f'proc/{pid}/statm', '2000 1000 10 10 0 10 0\n')
        put(f'proc/{pid}/status', f'Name:\tqemu\nTgid:\t{pid}\n')
        put(f'proc/{pid}/cmdline', f'qemu-system-x86_64\0-name\0guest={name}\0')
        put(f'proc/{pid}/ksm_stat', 'ksm_rmap_items 10\nksm_zero_pages 2\nksm_merging_pages 3\nksm_process_profit -5\n')
    # This process holds the lock, so it is the daemon.
    put(f'proc/{os.getpid()}/comm', 'ksmtuned\n')
    put('run/ksmtuned/state', f"PID={os.getpid()}\nTIME_USEC=1000000\nINTERVAL_USEC=60000000\nPOLICY=classic\nACTION=scan\n"
        "REASON=shortage\nSENTENCE='x'\nTOTAL_KIB=16777216\nTHRESHOLD_KIB=3145728\nFREE_KIB=1048576\n"
        'COMMITTED_KIB=15728640\nGUESTS=2\nPREVIOUS_PAGES_TO_SCAN=0\nPAGES_TO_SCAN=300\nSLEEP_MILLISECS=10\n'
        'SCAN_DECISIONS=7\nSTOP_DECISIONS=5\nPRESSURE_EVENTS=1\nFOREIGN_WRITES=2\nFAILED_WRITES=3\n')
    put('var/run/ksmtune.pid', f'{os.getpid()}\n')
    return tmp_path


@pytest.fixture
def daemon(tree):
    """Holds what a running daemon holds."""
    with held(tree):
        yield tree


@contextlib.contextmanager
def held(tree):
    """The lock by which ksmtuned shows that it lives."""
    with open(tree / 'run/ksmtuned/lock', 'w') as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        yield


def metrics(programs, tree, *options):
    finished = subprocess.run([programs.ksmctl, 'metrics', '--root', tree, *options], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ''
    return finished.stdout


def values(text):
    """Of the samples without labels."""
    return {name: float(value) for name, value in re.findall(r'(?m)^(\w+) (\S+)$', text)}


def checked(text):
    """As promtool has it."""
    finished = subprocess.run(['promtool', 'check', 'metrics'], input=text, capture_output=True, text=True)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, '', '')


def test_every_metric_has_its_value_and_promtool_finds_nothing(programs, daemon):
    need_programs('promtool:prometheus')
    text = metrics(programs, daemon, '--guests')
    checked(text)
    found = values(text)
    assert {name: found.get(name) for name in EXPECTED} == EXPECTED
    assert 'ksmtuned_decisions_total{action="scan"} 7\nksmtuned_decisions_total{action="stop"} 5\n' in text
    assert 'ksmtuned_decision_info{policy="classic",action="scan",reason="shortage"} 1\n' in text
    assert 'ksmtuned_guest_saved_bytes{guest="plain",pid="10"} 20480\n' in text
    assert 'ksmtuned_guest_profit_bytes{guest="plain",pid="10"} -5\n' in text
    assert '\u202e' not in text
    assert 'guest="a \\"guest\\" \\\\ of ' in text


def test_without_the_flag_no_guest_is_named(programs, daemon):
    text = metrics(programs, daemon)
    assert 'plain' not in text and 'pid=' not in text


def test_no_name_is_one_of_node_exporters(programs, daemon):
    assert all(name.startswith('ksmtuned_') for name in re.findall(r'(?m)^# TYPE (\w+)', metrics(programs, daemon)))


def test_without_a_daemon_it_says_so_and_goes_on(programs, tree):
    need_programs('promtool:prometheus')
    text = metrics(programs, tree)
    checked(text)
    assert values(text)['ksmtuned_up'] == 0
    assert 'decision' not in text


def test_a_file_is_replaced_as_a_whole_for_everybody(programs, tree, tmp_path):
    place = tmp_path / 'textfiles' / 'ksmtuned.prom'
    place.parent.mkdir()
    place.write_text('old\n')
    reader = place.open()
    assert metrics(programs, tree, '--output', place) == ''
    assert reader.read() == 'old\n'
    assert values(place.read_text())['ksmtuned_up'] == 0
    assert place.stat().st_mode & 0o7777 == 0o644
    assert os.listdir(place.parent) == [place.name]


def test_a_file_that_cannot_be_written_is_said_and_nothing_is_left(programs, tree, tmp_path):
    folder = tmp_path / 'textfiles'
    (folder / 'ksmtuned.prom').mkdir(parents=True)
    finished = subprocess.run([programs.ksmctl, 'metrics', '--root', tree, '--output', folder / 'ksmtuned.prom'],
                              capture_output=True, text=True)
    assert finished.returncode == 74
    assert finished.stderr.count('\n') == 1 and str(folder / 'ksmtuned.prom') in finished.stderr
    assert os.listdir(folder) == ['ksmtuned.prom']


# --- Prometheus ----------------------------------------------------------------------------------------------------

def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def get(port, path):
    """The body, or nothing where nobody answers yet."""
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=10)
    try:
        connection.request('GET', path)
        answer = connection.getresponse()
        return answer.read().decode() if answer.status == 200 else None
    except OSError:
        return None
    finally:
        connection.close()


@pytest.fixture
def prometheus(programs, daemon, tmp_path):
    """A query, by a real Prometheus that scrapes a real node_exporter."""
    need_programs('prometheus', 'prometheus-node-exporter')
    textfiles = tmp_path / 'textfiles'
    textfiles.mkdir()
    metrics(programs, daemon, '--guests', '--output', textfiles / 'ksmtuned.prom')
    exporter, server = free_port(), free_port()
    (tmp_path / 'prometheus.yml').write_text(
        f'global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{FOLDER / "alerts.yml"}]\n'
        f'scrape_configs: [{{job_name: node, static_configs: [{{targets: ["127.0.0.1:{exporter}"]}}]}}]\n')
    stage = Stage(tmp_path)
    try:
        log = open(tmp_path / 'log', 'w')
        stage.start(['prometheus-node-exporter', '--collector.disable-defaults', '--collector.textfile',
                     f'--collector.textfile.directory={textfiles}', f'--web.listen-address=127.0.0.1:{exporter}'],
                    stdout=log, stderr=log)
        stage.start(['prometheus', f'--config.file={tmp_path}/prometheus.yml', f'--storage.tsdb.path={tmp_path}/tsdb',
                     f'--web.listen-address=127.0.0.1:{server}'], stdout=log, stderr=log)

        def query(expression):
            body = get(server, '/api/v1/query?' + urllib.parse.urlencode({'query': expression}))
            if body is None:
                return []
            answer = json.loads(body)
            assert answer['status'] == 'success', (expression, answer)
            return answer['data']['result']
        wait_for('the first scrape', lambda: query('ksmtuned_up'))
        query.exporter = exporter
        yield query
    finally:
        stage.clear()


def test_prometheus_scrapes_what_was_written(prometheus):
    for name, value in EXPECTED.items():
        assert [float(each['value'][1]) for each in prometheus(name)] == [value], name
    assert [each['metric']['guest'] for each in prometheus('ksmtuned_guest_saved_bytes{pid="10"}')] == ['plain']
    assert [each['value'][1] for each in prometheus('node_textfile_scrape_error')] == ['0']


def test_every_query_of_the_dashboard_is_one(prometheus):
    for expression in dashboard_queries():
        prometheus(expression.replace('$instance', '.*'))


# --- Rules and dashboard -------------------------------------------------------------------------------------------

def dashboard_queries():
    dashboard = json.loads((FOLDER / 'dashboard.json').read_text())
    return [target['expr'] for panel in dashboard['panels'] for target in panel['targets']]


def names_in(text):
    return set(re.findall(r'\bksmtuned_\w+', text))


def test_dashboard_and_alerts_ask_for_metrics_that_there_are(programs, daemon):
    there = set(re.findall(r'(?m)^# TYPE (\w+)', metrics(programs, daemon, '--guests')))
    alerts = names_in('\n'.join(re.findall(r'(?m)^ *expr: (.*)$', (FOLDER / 'alerts.yml').read_text())))
    asked = names_in(' '.join(dashboard_queries())) | alerts
    assert asked - there == set()
    # And what nobody looks at need not be written.
    assert there - asked == {'ksmtuned_build_info', 'ksmtuned_sleep_seconds', 'ksmtuned_scanned_pages_total',
                             'ksmtuned_guests_unreadable'}


def test_the_alerts_fire_where_they_should():
    need_programs('promtool:prometheus')
    for command in ('check', 'rules', 'alerts.yml'), ('test', 'rules', 'alerts-test.yml'):
        status, printed = capture(['promtool', *command], cwd=FOLDER)
        assert status == 0, printed


def test_every_alert_is_tested():
    alerts = re.findall(r'(?m)^ *- alert: (\w+)$', (FOLDER / 'alerts.yml').read_text())
    test = (FOLDER / 'alerts-test.yml').read_text()
    fired = set(re.findall(r'alertname: (\w+)\n +eval_time: \w+\n +exp_alerts:', test))
    assert set(alerts) == fired
