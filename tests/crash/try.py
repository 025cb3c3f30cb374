import tempfile, time, shutil
from pathlib import Path
from tests.crash.journal import *
from tests.crash.victims import *
def main():
    with tempfile.TemporaryDirectory(dir='/dev/shm') as t:
        t=Path(t)
        run=clean_into_chunks(write_leads(t/'leads.csv',156,troubled=lambda n:n%52<13), t/'run', chunks=12)
        print(run.counts)
        with Sandbox(time_scale=0, job_seconds=5) as sb:
            prepare_instance(sb)
            T=time.time()
            for i in range(3):
                print(Victim(send_run, t/'run', sb.url, sb.now).end(sb), time.time()-T)
                T=time.time()
                shutil.copytree(t/'run', t/f'run{i}') if not i else 0
                print(judge(run,sb), run.counts, run.report['exit_code'], time.time()-T)
                T=time.time()
if __name__=='__main__': main()
