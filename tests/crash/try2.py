import sys, time, os
from tests.crash import victims
from tests.crash.victims import Victim
def report(pipe, steps, t0):
    t1=time.time()
    cpu=time.process_time()
    print(f"fork {t1-t0:.3f} cpu {cpu:.3f}", len(sys.modules), file=sys.stderr)
def work(pipe, steps, t0, folder):
    t1=time.time()
    import cProfile, pstats, io
    p=cProfile.Profile(); p.enable()
    from prep.pipeline import Run, RunFolder
    from prep.settlement import settle_rows
    from prep.report import read_jobs
    f=RunFolder(folder); settle_rows(f, f.manifest(), read_jobs(f))
    p.disable(); s=io.StringIO(); pstats.Stats(p,stream=s).sort_stats('cumulative').print_stats(25)
    print(f"fork {t1-t0:.3f} work {time.time()-t1} cpu {time.process_time():.3f}"+s.getvalue(), len(sys.modules), file=sys.stderr)
def main():
    import tempfile, shutil
    from pathlib import Path
    from tests.crash.journal import write_leads, clean_into_chunks, prepare_instance
    from tests.crash.victims import send_run
    from prep.sandbox import Sandbox
    print(Victim(report, time.time()).end())
    print(Victim(report, time.time()).end())
    with tempfile.TemporaryDirectory(dir='/dev/shm') as t:
        t=Path(t)
        run=clean_into_chunks(write_leads(t/'leads.csv',156), t/'run', chunks=12)
        with Sandbox(time_scale=0, job_seconds=5) as sb:
            prepare_instance(sb)
            print(Victim(send_run, t/'run', sb.url, sb.now).end(sb))
        e=Victim(work, time.time(), t/'run').end()
        print(e.error)
        e=Victim(work, time.time(), t/'run').end()
        print(e.error[:200])
if __name__=='__main__': main()
