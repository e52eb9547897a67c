"""The sandbox PSP, driven over real HTTP as an adapter would."""
