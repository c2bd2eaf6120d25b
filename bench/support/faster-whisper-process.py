"""Keeps a model of faster-whisper: each line of stdin names a recording, each line of stdout is what was made of it.

    python faster-whisper-process.py FOLDER COMPUTE_TYPE THREADS
"""

import json
import resource
import sys
import time

from faster_whisper import BatchedInferencePipeline, WhisperModel

folder, compute_type, threads = sys.argv[1:]
begun = time.perf_counter()
model = WhisperModel(folder, device="cpu", compute_type=compute_type, cpu_threads=int(threads))
print(json.dumps({"load": time.perf_counter() - begun, "type": model.model.compute_type}), flush=True)
for line in sys.stdin:
    job = json.loads(line)
    options = {"language": "en", "beam_size": job["beam"]}
    begun = time.perf_counter()
    if job["batch"] > 0:
        segments, _ = BatchedInferencePipeline(model).transcribe(job["recording"], batch_size=job["batch"], **options)
    else:
        segments, _ = model.transcribe(job["recording"], **options)
    text = "".join(segment.text for segment in segments)
    wall = time.perf_counter() - begun
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"text": text, "wall": wall, "peak": peak}), flush=True)
